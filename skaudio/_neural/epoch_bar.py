"""The progress bar of training. It imports skorch, so it is imported only where a bar is shown."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback
from tqdm.auto import tqdm


class EpochBar(Callback):
    """Shows a bar over epochs with the losses of the last one."""

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        losses = {k: f"{row[k]:.3f}" for k in ("train_loss", "valid_loss") if k in row}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        self.bar_.close()
        del self.bar_  # the net may be pickled now
