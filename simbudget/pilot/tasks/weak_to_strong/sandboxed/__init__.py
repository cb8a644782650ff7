"""Files that are copied into sandboxes. They import nothing from simbudget, which a sandbox cannot see."""
