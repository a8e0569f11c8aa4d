namespace PoolApi.Threading.Core;

/// <summary>What became of everything accepted. Guarded by the pool's gate.</summary>
internal struct Tally
{
    private Outcomes _ended;

    public long Accepted { get; set; }

    public void Add(WorkOutcome outcome) => _ended[(int)outcome]++;

    public readonly PoolCounts ToCounts() => new()
    {
        Accepted = Accepted,
        Completed = _ended[(int)WorkOutcome.Completed],
        Failed = _ended[(int)WorkOutcome.Failed],
        Cancelled = _ended[(int)WorkOutcome.Cancelled],
        Expired = _ended[(int)WorkOutcome.Expired],
        Shed = _ended[(int)WorkOutcome.Shed],
        ClientGone = _ended[(int)WorkOutcome.ClientGone],
        NotStarted = _ended[(int)WorkOutcome.NotStarted],
        Abandoned = _ended[(int)WorkOutcome.Abandoned],
    };

    [System.Runtime.CompilerServices.InlineArray(8)]
    private struct Outcomes
    {
        private long _first;
    }
}
