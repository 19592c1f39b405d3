"""What a user gets from embeddings: `skaudio.evaluate_embedder` for networks and a baseline.

    python benchmarks/accuracy_embedders.py mn04_as ge2e mfcc --sets spoken_digits esc10 fsdd

Official folds and groups only: voices, speakers, digits or folds that the classifiers have not
seen. "mfcc" is the mean and deviation of MFCC; "random" is mn04_as with random weights. Recordings
and weights are in the data home that SKAUDIO_DATA names.
"""

import argparse

from sklearn.pipeline import make_pipeline

import skaudio

SETS = ["spoken_digits", "fsdd", "arabic_digits", "arabic_voices", "esc10"]


def make(name):
    if name == "mfcc":
        return make_pipeline(skaudio.MFCC(), skaudio.FramePooling())
    if name == "random":
        return skaudio.PretrainedEmbedder("mn04_as", weights="random")
    return skaudio.PretrainedEmbedder(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("embedders", nargs="+")
    parser.add_argument("--sets", nargs="+", default=SETS)
    options = parser.parse_args()
    for name in options.embedders:
        table = skaudio.evaluate_embedder(make(name), options.sets, random_state=0)
        print(
            f"\n{name}: {table['n_features'].iloc[0]:.0f} features, "
            f"{table['megabytes'].iloc[0]:.1f} MB"
        )
        print(f"{'set':15} {'linear':12} {'nearest':12} {'5 per class':12} rows/s")
        for label, row in table.iterrows():
            scores = "  ".join(
                f"{row[key]:.3f} ±{row[f'{key}_se']:.3f}"
                for key in ("linear", "nearest", "few_shot")
            )
            print(f"{label:15} {scores}  {row['rows_per_second']:6.1f}", flush=True)


if __name__ == "__main__":
    main()
