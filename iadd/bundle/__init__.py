"""The bundle: a distilled set as one signed file that can be verified offline."""
