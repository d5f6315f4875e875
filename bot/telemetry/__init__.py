"""The journal and its folds: receipts, state, metrics, report."""
