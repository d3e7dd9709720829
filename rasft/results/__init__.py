"""Stored results -> scores, intervals, comparisons and tables; no model is needed here."""
