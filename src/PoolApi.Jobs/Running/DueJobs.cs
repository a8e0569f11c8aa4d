namespace PoolApi.Jobs.Running;

/// <summary>What this instance knows of jobs that are due in the store. Thread-safe.</summary>
/// <remarks>
/// <code>
///             Suspect                Tell
///   Unknown ──────────► Suspected ──────────► Known
///      ▲ └──────────────────Tell────────────────▲
///      └──── BeginClaim: a claim asks the store, and takes the knowledge with it
/// </code>
/// <para><b>Known</b>: somebody said so: a listener, or a claim that got as many as it asked for. <b>Suspected</b>: nobody said
/// so, but a message may be lost, so one claim asks the store. The two differ in what they set off: queued jobs that are known
/// may expire, so maintenance looks at them more often; a suspicion sets off one claim and nothing else. Otherwise
/// maintenance, which suspects, and claiming, which has no worker to spare, wake each other without end.</para>
/// <para>A job with a time of its own is known from that time on (<see cref="ExpectIn"/>).</para>
/// </remarks>
internal sealed class DueJobs(TimeProvider time)
{
    private const int Unknown = 0, Suspected = 1, Known = 2;

    private int _state = Suspected; // nobody has asked the store yet
    private long _expectedAt = long.MaxValue; // a timestamp

    /// <summary>Jobs are due, by what somebody said or by their time.</summary>
    public bool IsKnown => Volatile.Read(ref _state) == Known || ExpectedIn is { Ticks: <= 0 };

    /// <summary>Jobs may be due: they are known or suspected.</summary>
    public bool IsSuspected => Volatile.Read(ref _state) != Unknown || ExpectedIn is { Ticks: <= 0 };

    /// <summary>How long until a job is due that was not at the last claim; <see langword="null"/>: there is none, as far as is known.</summary>
    public TimeSpan? ExpectedIn =>
        Volatile.Read(ref _expectedAt) is var at and not long.MaxValue ? time.GetElapsedTime(time.GetTimestamp(), at) : null;

    /// <summary>A job is due.</summary>
    public void Tell() => Volatile.Write(ref _state, Known);

    /// <summary>A job may be due that nobody told of.</summary>
    public void Suspect() => Interlocked.CompareExchange(ref _state, Suspected, Unknown);

    /// <summary>A claim is about to ask the store. What is told from here on is kept for the next one.</summary>
    public void BeginClaim() => Interlocked.Exchange(ref _state, Unknown);

    /// <summary>The claim found fewer than it could take: the next one is due then, or is told of.</summary>
    /// <param name="next">How long until then; <see langword="null"/>: no other is queued.</param>
    public void ExpectIn(TimeSpan? next) => Volatile.Write(
        ref _expectedAt,
        next is { } wait ? time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency) : long.MaxValue);
}
