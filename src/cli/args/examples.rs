//! Examples for `--help` and the manual page. A test runs every line of them, in the order of the commands.

/// Of the program as a whole, with what else there is to know.
pub(super) const MAIN: &str = "\
Examples:
  record-minmax --input-model model.circle --input-data data.h5 --output-model out.circle
  record-minmax --input-model model.circle --input-data shards/ --output-model all.circle --resume
  record-minmax inspect out.circle

The option names of ONE's record-minmax (--input_model, --min_percentile, ...) are accepted too.

Exit codes: 0 done, 1 failed, 2 wrong usage; 129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM.
Whatever ends a run, the recording keeps what was committed, and --resume goes on from there.";

pub(super) const RECORD: &str = "\
Examples:
  record-minmax record --input-model model.circle --input-data data.h5 --checkpoint a.rmm
  record-minmax record --input-model model.circle --input-data data.h5 --input-data shards/ \\
      --checkpoint a.rmm --resume
  record-minmax record --input-model model.circle --input-data 'shards/*.h5' \\
      --checkpoint part0.rmm --shard-index 0 --num-shards 2";

pub(super) const EMBED: &str = "\
Examples:
  record-minmax embed --input-model model.circle --recording out.rmm -o p.circle \\
      --mode percentile --max-percentile 99.9";

pub(super) const MERGE: &str = "\
Examples:
  record-minmax merge part0.rmm part1.rmm -o whole.rmm
  record-minmax merge part*.rmm -o whole.rmm --overwrite";

pub(super) const INSPECT: &str = "\
Examples:
  record-minmax inspect out.circle
  record-minmax inspect out.rmm --mode percentile --max-percentile 99.9
  record-minmax inspect out.rmm --json
  record-minmax inspect out.rmm --tensor '*MatMul*'
  record-minmax inspect out.rmm --observations > observations.tsv";

pub(super) const REPORT: &str = "\
Examples:
  record-minmax report out.rmm --input-model model.circle -o report.html
  record-minmax report out.rmm --csv -";

/// With the exit codes.
pub(super) const COMPARE: &str = "\
Examples:
  record-minmax compare out.rmm out.circle
  record-minmax compare out.circle p.circle --threshold 0.5 --all

Exit codes, as those of diff: 0 no range differs, 1 some do, 2 they cannot be compared.";

pub(super) const IMPORT: &str = "\
Examples:
  record-minmax import model.tflite -o imported.circle";

pub(super) const IMPORT_MINMAX: &str = "\
Examples:
  record-minmax import-minmax --input-model model.circle minmax.h5 -o device.rmm
  record-minmax embed --input-model model.circle --recording device.rmm -o device.circle";

pub(super) const VERIFY: &str = "\
Examples:
  record-minmax verify --model out.circle --recording out.rmm
  record-minmax verify --model p.circle --recording out.rmm --mode percentile --max-percentile 99.9";

pub(super) const DATASET: &str = "\
Examples:
  record-minmax dataset info data.h5
  record-minmax dataset check --help";

pub(super) const PACK: &str = "\
Examples:
  record-minmax dataset pack --input-model model.circle --input-data shards/ -o all.h5 \\
      --layout packed
  record-minmax dataset pack --input-model model.circle --input-data photos/ -o photos.h5 \\
      --resize crop --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225";

pub(super) const INFO: &str = "\
Examples:
  record-minmax dataset info shards/
  record-minmax dataset info data.h5 --values --json";

pub(super) const CHECK: &str = "\
Examples:
  record-minmax dataset check --input-model model.circle --input-data shards/ --estimate-for 1s
  record-minmax dataset check --input-model model.circle --input-data data.h5 --headers-only";

pub(super) const RANDOM: &str = "\
Examples:
  record-minmax dataset random --input-model model.circle -o random.h5 -n 100
  record-minmax dataset random --input-model model.circle -o normal.h5 --normal 0,0.5 --seed 7";

pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(record-minmax completions bash)
  record-minmax completions zsh > _record-minmax";

pub(super) const MAN: &str = "\
Examples:
  record-minmax man > record-minmax.1";
