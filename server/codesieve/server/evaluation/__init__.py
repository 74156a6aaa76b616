"""What verdicts come to: pass@k, the ranking by log-probability, the report of both. Pure: values in, values out."""
