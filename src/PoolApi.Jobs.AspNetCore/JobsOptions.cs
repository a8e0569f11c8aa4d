using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>How an app keeps and runs jobs. Validated at the start.</summary>
public sealed class JobsOptions
{
    /// <summary>The highest value of <see cref="MaxPayloadBytes"/> and <see cref="MaxResultBytes"/>: a row of either store can hold it.</summary>
    public const int MaxBytes = JobRanges.MaxBytes;

    private static readonly JobOptions Defaults = new();

    /// <summary>
    /// The pool of handlers (<c>AddJob</c>) that name none; <see langword="null"/>: the first that was added. The jobs of an
    /// endpoint run on the endpoint's pool.
    /// </summary>
    public string? Pool { get; set; }

    /// <summary>The most attempts of a job, 1 to 100. A failure that would recur is not tried again. An endpoint may set another number.</summary>
    public int MaxAttempts { get; set; } = JobRanges.MaxAttempts.Default;

    /// <summary>The longest body of a request that becomes a job, 1 to <see cref="MaxBytes"/>. A longer one is 413.</summary>
    public int MaxPayloadBytes { get; set; } = JobRanges.Bytes.Default;

    /// <summary>The longest result of a job, 1 to <see cref="MaxBytes"/>. A job with a longer one has failed.</summary>
    public int MaxResultBytes { get; set; } = JobRanges.Bytes.Default;

    /// <summary>
    /// How many bytes the bodies and results of the jobs that the instance runs may have together, not less than
    /// <see cref="MaxPayloadBytes"/>. Each pool that runs jobs has an equal part of them. <see langword="null"/>: a quarter of the memory
    /// that the runtime may use, at most 256 MiB.
    /// </summary>
    public long? MemoryBytes { get; set; }

    /// <summary>How long after the death of an instance its jobs are queued again, 3 s to 1 h.</summary>
    public TimeSpan Lease { get; set; } = Defaults.Lease;

    /// <summary>How long a finished job keeps its body and result, 1 s to 3650 days. The job is gone altogether after twice as long.</summary>
    public TimeSpan Retention { get; set; } = Defaults.Retention;

    /// <summary>The share of the workers' time that jobs can count on while requests keep all workers busy, 0 to 1.</summary>
    public double Share { get; set; } = Defaults.Share;

    /// <summary>
    /// The most deaths of its instance after which a job is run again, 0 to 1000. Only a death at which no other job ran in the instance counts.
    /// After one more such death the job fails as <c>poison</c>.
    /// </summary>
    public int MaxRedeliveries { get; set; } = Defaults.MaxRedeliveries;

    /// <summary>The pause before the second attempt, 1 ms to 5 minutes. Each further one is twice as long, up to five minutes.</summary>
    public TimeSpan RetryDelay { get; set; } = Defaults.RetryDelay;

    /// <summary>
    /// Names the client of a request. A job belongs to the client that made it: only that client sees the job, and each client has its own
    /// <c>Idempotency-Key</c>s. A request whose client is <see langword="null"/> gets 401. Not set: the app does not distinguish clients, and
    /// every request that reaches the routes sees every job.
    /// </summary>
    public Func<HttpContext, string?>? Client { get; set; }

    /// <summary>
    /// Whether a request sees, and may cancel and retry, the jobs of every client, such as an operator's. Not set: no request does. It has no
    /// effect without <see cref="Client"/>.
    /// </summary>
    public Func<HttpContext, bool>? SeesEveryJob { get; set; }

    /// <summary>
    /// The highest priority that a request may give to its job. A request that asks for more gets 400. Not set:
    /// <see cref="WorkPriority.High"/>. A request that becomes no job has the priority of its endpoint, which a client cannot choose.
    /// </summary>
    public Func<HttpContext, WorkPriority>? MaxPriority { get; set; }

    /// <summary>What jobs of every endpoint store of their requests in addition to the method, path, query, content type and body.</summary>
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

    /// <summary>The faults of the options. Each names the option and what it must be.</summary>
    internal IEnumerable<string> Faults()
    {
        return new[]
        {
            Fault(nameof(MaxAttempts), MaxAttempts, JobRanges.MaxAttempts),
            Fault(nameof(MaxPayloadBytes), MaxPayloadBytes, JobRanges.Bytes),
            Fault(nameof(MaxResultBytes), MaxResultBytes, JobRanges.Bytes),
            MemoryBytes < MaxPayloadBytes ? Fault(nameof(MemoryBytes), MemoryBytes, $"{nameof(MaxPayloadBytes)}, which is {MaxPayloadBytes}, or more") : null,
            Fault(nameof(Lease), Lease, JobRanges.Lease),
            Fault(nameof(Retention), Retention, JobRanges.Retention),
            Fault(nameof(Share), Share, JobRanges.Share),
            Fault(nameof(MaxRedeliveries), MaxRedeliveries, JobRanges.MaxRedeliveries),
            Fault(nameof(RetryDelay), RetryDelay, JobRanges.RetryDelay),
        }.OfType<string>();
    }

    private static string? Fault<T>(string name, T value, JobRange<T> range)
        where T : struct, IComparable<T>, IFormattable =>
        range.Contains(value) ? null : Fault(name, value, range.ToString());

    private static string Fault(string name, IFormattable? value, string allowed) =>
        $"{nameof(JobsOptions)}.{name} is {value?.ToString(null, System.Globalization.CultureInfo.InvariantCulture)}; it must be {allowed}.";
}
