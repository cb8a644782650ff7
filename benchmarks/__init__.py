"""What is measured of simbudget, as ratios, with the tables and pictures that it last gave."""
