namespace PoolApi.Jobs;

/// <summary>The filters of a list of jobs. All given filters are combined. The list has the newest job first.</summary>
internal sealed record JobQuery
{
    /// <summary>Only jobs of this client; <see langword="null"/>: of all clients.</summary>
    public string? Client { get; init; }

    /// <summary>Only jobs in this state.</summary>
    public JobState? State { get; init; }

    /// <summary>Only jobs of this kind.</summary>
    public string? Kind { get; init; }

    /// <summary>Only jobs with this tag.</summary>
    public string? Tag { get; init; }

    /// <summary>
    /// Only jobs that sort after this one, which is the last job of the previous page. Pages are stable: no job is skipped or repeated when jobs
    /// are accepted or end in between.
    /// </summary>
    public Guid? After { get; init; }

    /// <summary>The most jobs of a page, 1 to 1000.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>A page of jobs.</summary>
/// <param name="Jobs">The jobs, newest first.</param>
/// <param name="HasMore">Whether another page follows.</param>
internal sealed record JobPage(IReadOnlyList<Job> Jobs, bool HasMore);
