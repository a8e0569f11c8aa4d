namespace PoolApi.Jobs;

/// <summary>Which jobs to list: those that meet all that is said. Newest first.</summary>
internal sealed record JobQuery
{
    /// <summary>Only this client's; <see langword="null"/>: everybody's.</summary>
    public string? Client { get; init; }

    /// <summary>Only in this state.</summary>
    public JobState? State { get; init; }

    /// <summary>Only of this kind.</summary>
    public string? Kind { get; init; }

    /// <summary>Only those with this tag.</summary>
    public string? Tag { get; init; }

    /// <summary>
    /// Only those that sort after this one: the last of the page before. Stable: whatever comes or ends in between, no job is
    /// skipped or seen twice.
    /// </summary>
    public Guid? After { get; init; }

    /// <summary>How many at most, 1 to 1000.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>A page of jobs.</summary>
/// <param name="Jobs">The jobs, newest first.</param>
/// <param name="HasMore">Whether there are more behind the last.</param>
internal sealed record JobPage(IReadOnlyList<Job> Jobs, bool HasMore);
