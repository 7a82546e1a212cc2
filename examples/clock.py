"""From windows to TRs: what one row of a design knows.

Features come several times a second, responses every TR. Each TR is a weighted mean of the windows near it
(Lanczos, three lobes), and delays add the rows before it.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainwavlm.encoding.alignment import delayed, lanczos_matrix

windows = np.arange(0.25, 40, 0.25)  # ends of the windows, in seconds
trs = np.arange(4.0, 36, 2.0)
matrix = lanczos_matrix(windows, trs)  # (n_trs, n_windows)
feature = np.sin(windows / 3) + 0.5 * np.sin(3 * windows)  # a slow and a fast part
resampled = matrix @ feature[:, None] / matrix.sum(1, keepdims=True)
design = delayed(resampled, delays=(1, 2, 3, 4))  # (n_trs, 4)

figure, (kernel, course, rows) = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
kernel.plot(windows, matrix[[4, 8]].T)
kernel.set(xlabel="window end, s", title="weights of two TRs")
course.plot(windows, feature, color="0.7", label="windows")
course.plot(trs, resampled, "o-", label="TRs")
course.set(xlabel="s", title="a feature")
course.legend()
rows.imshow(design, aspect="auto", cmap="RdBu_r")
rows.set(xlabel="delay, TRs", ylabel="TR", title="its design", xticks=range(4), xticklabels=[1, 2, 3, 4])
figure.savefig("clock.webp")
