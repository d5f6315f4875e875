"""The forecast of questions: arrivals, conversions, survival and weekly profile."""
