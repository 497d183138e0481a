#!/bin/bash
#SBATCH --job-name=zoo-train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
# The command's --out must lie on a disk that the first node sees again after a requeue.
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd,)
for try in $(seq 0 3); do
  srun --kill-on-bad-exit=1 bash -c \
    'exec zoo launch --hosts "$0" --index "$SLURM_PROCID" -- "$@"' "$hosts" python recipes/classify_images.py --dataset mnist --out /runs/mnist --resume auto
  code=$?
  # 0: finished; 2: bad input; 143: asked to end, with its state saved.
  case $code in 0|2|143) break ;; esac
done
exit $code
