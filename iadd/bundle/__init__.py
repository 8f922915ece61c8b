"""The bundle: a distilled set as one signed file that verifies offline."""
