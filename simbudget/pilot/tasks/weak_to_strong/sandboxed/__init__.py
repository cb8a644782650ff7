"""What is copied into sandboxes: the files here import nothing of simbudget, which a sandbox does not see."""
