# Sourced by the dist_*.sh and slurm_*.sh launchers: the two ways to start a
# script of this folder in many processes, from whatever folder.
# shellcheck shell=bash

tools="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname -- "$tools")"
# A checkout that is not installed is found too, in every process.
export PYTHONPATH="$root/projects:$root${PYTHONPATH:+:$PYTHONPATH}"
python="${PYTHON:-python}"

# need_args NUMBER USAGE "$@": stop with the usage line if too few are given.
need_args() {
    local number="$1" usage="$2"
    shift 2
    if (($# < number)); then
        echo "usage: $usage" >&2
        exit 2
    fi
}

# launch_torchrun SCRIPT PROCESSES_PER_NODE ARGS...
# Reads NNODES, NODE_RANK, MASTER_ADDR, PORT.
launch_torchrun() {
    local script="$1" processes="$2"
    shift 2
    if ! [[ "$processes" =~ ^[1-9][0-9]*$ ]]; then
        echo "error: the number of GPUs must be 1 or more, got" \
            "\"$processes\"" >&2
        exit 2
    fi
    exec "$python" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --nproc_per_node="$processes" \
        "$tools/$script" "$@" --launcher pytorch
}

# launch_srun PARTITION JOB_NAME SCRIPT ARGS...
# Reads GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS.
launch_srun() {
    local partition="$1" job="$2" script="$3"
    shift 3
    local gpus="${GPUS:-8}"
    local per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    local extra=()
    # SRUN_ARGS is one string of several arguments, split at blanks.
    read -r -a extra <<<"${SRUN_ARGS:-}"
    exec srun \
        --partition="$partition" \
        --job-name="$job" \
        --gres="gpu:$per_node" \
        --ntasks="$gpus" \
        --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${extra[@]+"${extra[@]}"} \
        "$python" -u "$tools/$script" "$@" --launcher slurm
}
