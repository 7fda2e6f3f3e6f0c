# Golden values of R's nnet::multinom. Debian: apt-get install r-base-core r-cran-nnet.
# Run as `Rscript multinom.R` in this folder, after make_faces.py.

library(nnet)

faces <- read.csv("faces.csv", stringsAsFactors = TRUE)
faces$emotion <- relevel(faces$emotion, ref = "neutral")
fit <- multinom(emotion ~ AU04_r + AU06_r + AU12_r + AU15_r + AU25_r, data = faces,
                maxit = 5000, reltol = 1e-15, abstol = 1e-12, trace = FALSE, Hess = TRUE)
stopifnot(fit$convergence == 0)

values <- coef(fit)
errors <- summary(fit)$standard.errors
table <- data.frame(emotion = rep(rownames(values), ncol(values)),
                    term = rep(colnames(values), each = nrow(values)),
                    coef = as.vector(values), se = as.vector(errors))
table[3:4] <- lapply(table[3:4], function(x) sprintf("%.12g", x))
write.csv(table, "multinom.csv", row.names = FALSE, quote = FALSE)

whole <- data.frame(fact = c("deviance", "log_likelihood", "aic", "parameters", "r", "nnet"),
                    value = c(sprintf("%.12g", c(fit$deviance, as.numeric(logLik(fit)), fit$AIC, fit$edf)),
                              as.character(getRversion()), as.character(packageVersion("nnet"))))
write.csv(whole, "multinom_fit.csv", row.names = FALSE, quote = FALSE)
