"""The penalised multinomial likelihood of AUs: its terms, its design matrix, its maximum and curvature."""
