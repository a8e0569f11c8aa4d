using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>How an app keeps and runs jobs. Validated at the start.</summary>
public sealed class JobsOptions
{
    /// <summary>The longest that a stored body or result may be, whatever is set: what a row of either store surely takes.</summary>
    public const int MaxBytes = 512 * 1024 * 1024;

    private const int DefaultBytes = 32 * 1024 * 1024;
    private static readonly JobOptions Defaults = new();

    /// <summary>
    /// The pool of handlers (<c>AddJob</c>) that name none; <see langword="null"/>: the first that was added. The jobs of an
    /// endpoint run on the endpoint's pool.
    /// </summary>
    public string? Pool { get; set; }

    /// <summary>How many attempts a job has, 1 to 100, unless its failure rules out a second. An endpoint may say otherwise.</summary>
    public int MaxAttempts { get; set; } = 3;

    /// <summary>The longest body of a request that becomes a job, 1 to <see cref="MaxBytes"/>. A longer one is 413.</summary>
    public int MaxPayloadBytes { get; set; } = DefaultBytes;

    /// <summary>The longest result of a job, 1 to <see cref="MaxBytes"/>. A job with a longer one has failed.</summary>
    public int MaxResultBytes { get; set; } = DefaultBytes;

    /// <summary>
    /// How many bytes the bodies and results of the jobs that the instance runs may have together, not less than
    /// <see cref="MaxPayloadBytes"/>. Each pool that runs jobs has an equal part of them. <see langword="null"/>: a quarter of the memory that the runtime may use, at most 256 MiB.
    /// </summary>
    public long? MemoryBytes { get; set; }

    /// <summary>How long after an instance has died others take on its jobs, 3 s to 1 h.</summary>
    public TimeSpan Lease { get; set; } = Defaults.Lease;

    /// <summary>How long a finished job keeps its body and result, 1 s to 3650 days. The job is gone altogether after twice as long.</summary>
    public TimeSpan Retention { get; set; } = Defaults.Retention;

    /// <summary>The share of the workers' time that jobs can count on while requests keep all workers busy, 0 to 1.</summary>
    public double Share { get; set; } = Defaults.Share;

    /// <summary>How often a job is begun again because its instance died, 0 to 1000. Then it has failed, as <c>poison</c>.</summary>
    public int MaxRedeliveries { get; set; } = Defaults.MaxRedeliveries;

    /// <summary>The pause before the second attempt, 1 ms to 1 h. Each further one is twice as long, up to five minutes.</summary>
    public TimeSpan RetryDelay { get; set; } = Defaults.RetryDelay;

    /// <summary>
    /// The client whose request it is, by which a job belongs to the client that made it: only that client sees the job, and an
    /// <c>Idempotency-Key</c> is its own. A request whose client is <see langword="null"/> gets 401. Not set: there are no clients to
    /// tell apart, and whoever reaches the routes sees every job.
    /// </summary>
    public Func<HttpContext, string?>? Client { get; set; }

    /// <summary>What a stored request keeps beside the usual, on every endpoint that allows jobs.</summary>
    public RequestCapture Capture { get; } = new();

    internal JobOptions ToRunning() => new()
    {
        MemoryBytes = MemoryBytes ?? Math.Max(Defaults.MemoryBytes, MaxPayloadBytes),
        Lease = Lease,
        Share = Share,
        Retention = Retention,
        MaxRedeliveries = MaxRedeliveries,
        RetryDelay = RetryDelay,
    };

    /// <summary>What is wrong with the options, each named with what it may be.</summary>
    internal IEnumerable<string> Faults()
    {
        if (MaxAttempts is < 1 or > 100) yield return Fault(nameof(MaxAttempts), MaxAttempts, "1 to 100");
        if (MaxPayloadBytes is < 1 or > MaxBytes) yield return Fault(nameof(MaxPayloadBytes), MaxPayloadBytes, $"1 to {MaxBytes}");
        if (MaxResultBytes is < 1 or > MaxBytes) yield return Fault(nameof(MaxResultBytes), MaxResultBytes, $"1 to {MaxBytes}");
        if (MemoryBytes < MaxPayloadBytes)
            yield return Fault(nameof(MemoryBytes), MemoryBytes, $"{nameof(MaxPayloadBytes)}, which is {MaxPayloadBytes}, or more");
        if (Lease < TimeSpan.FromSeconds(3) || Lease > TimeSpan.FromHours(1)) yield return Fault(nameof(Lease), Lease, "3 seconds to 1 hour");
        if (Retention < TimeSpan.FromSeconds(1) || Retention > TimeSpan.FromDays(3650)) yield return Fault(nameof(Retention), Retention, "1 second to 3650 days");
        if (Share is not (>= 0 and <= 1)) yield return Fault(nameof(Share), Share, "0 to 1");
        if (MaxRedeliveries is < 0 or > 1000) yield return Fault(nameof(MaxRedeliveries), MaxRedeliveries, "0 to 1000");
        if (RetryDelay < TimeSpan.FromMilliseconds(1) || RetryDelay > TimeSpan.FromHours(1)) yield return Fault(nameof(RetryDelay), RetryDelay, "1 millisecond to 1 hour");
    }

    private static string Fault(string name, IFormattable? value, string allowed) =>
        $"{nameof(JobsOptions)}.{name} is {value?.ToString(null, System.Globalization.CultureInfo.InvariantCulture)}; it may be {allowed}.";
}
