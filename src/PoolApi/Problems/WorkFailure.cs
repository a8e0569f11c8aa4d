namespace PoolApi.Problems;

/// <summary>What a client is told of a request for work that failed: whether the work had begun decides what it may do next.</summary>
internal static class WorkFailure
{
    /// <summary>The problem's name where the work had begun. It is never used for another failure.</summary>
    public const string Name = "work-failed";

    /// <summary>The problem's name where it had not.</summary>
    public const string NotBegunName = "internal-error";

    public const string Begun = "The work had begun when it failed, and may have taken effect. The details are in the log, under the trace id.";

    public const string NotBegun = "The request failed before its work began: no worker had taken it. The details are in the log, under the trace id.";
}
