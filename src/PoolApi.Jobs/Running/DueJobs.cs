namespace PoolApi.Jobs.Running;

/// <summary>Whether jobs may be due in the store, as far as this instance knows. Thread-safe.</summary>
/// <remarks>
/// <code>
///             Suspect               Report
///   Unknown ──────────► Suspected ──────────► Known
///      ▲ └─────────────────Report───────────────▲
///      └──── BeginClaim: a claim queries the store and resets the state
/// </code>
/// <para><b>Known</b>: a listener reported a due job, or the last claim may have left due jobs. <b>Suspected</b>: no job was reported, but a
/// notification may be lost, so one claim queries the store.</para>
/// <para>The two have different effects. Known queued jobs may expire, so maintenance runs more often. A suspicion causes only one claim.
/// Maintenance itself suspects jobs. If a suspicion also made maintenance run more often, the two flows would wake each other without end.</para>
/// <para>A job with a start time becomes known at that time (<see cref="ExpectIn"/>).</para>
/// </remarks>
internal sealed class DueJobs(TimeProvider time)
{
    private const int Unknown = 0, Suspected = 1, Known = 2;

    private int _state = Suspected; // no claim has queried the store yet
    private long _expectedAt = long.MaxValue; // a timestamp

    /// <summary>Whether jobs are due, because a job was reported or its time has come.</summary>
    public bool IsKnown => Volatile.Read(ref _state) == Known || ExpectedIn is { Ticks: <= 0 };

    /// <summary>Whether jobs may be due: known or suspected.</summary>
    public bool MayBeDue => Volatile.Read(ref _state) != Unknown || ExpectedIn is { Ticks: <= 0 };

    /// <summary>The time until the next job is due that the last claim reported; <see langword="null"/>: it reported none.</summary>
    public TimeSpan? ExpectedIn =>
        Volatile.Read(ref _expectedAt) is var at and not long.MaxValue ? time.GetElapsedTime(time.GetTimestamp(), at) : null;

    /// <summary>Reports a due job.</summary>
    public void Report() => Volatile.Write(ref _state, Known);

    /// <summary>Suspects a due job that was not reported.</summary>
    public void Suspect() => Interlocked.CompareExchange(ref _state, Suspected, Unknown);

    /// <summary>Resets the state before a claim queries the store. Reports from now on are for the next claim.</summary>
    public void BeginClaim() => Interlocked.Exchange(ref _state, Unknown);

    /// <summary>Records when the next job is due, after a claim that found fewer jobs than it requested.</summary>
    /// <param name="next">The time until then; <see langword="null"/>: no other job is queued.</param>
    public void ExpectIn(TimeSpan? next) => Volatile.Write(
        ref _expectedAt,
        next is { } wait ? time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency) : long.MaxValue);
}
