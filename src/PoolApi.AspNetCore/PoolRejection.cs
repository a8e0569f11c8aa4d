using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore;

/// <summary>Why a request gets a problem instead of its work's result. Passed to the callbacks of <c>OnRejected</c>.</summary>
public sealed class PoolRejection
{
    internal PoolRejection(string pool, string problem, int status, string title, string detail, TimeSpan? retryAfter) =>
        (Pool, Problem, Status, Title, Detail, RetryAfter) = (pool, problem, status, title, detail, retryAfter);

    /// <summary>The pool's name.</summary>
    public string Pool { get; }

    /// <summary>The problem's name, such as <c>queue-full</c>. The problem's type is <c>urn:poolapi:problem:</c> followed by this name.</summary>
    public string Problem { get; }

    /// <summary>The status of the response, such as <see cref="StatusCodes.Status503ServiceUnavailable"/>.</summary>
    public int Status { get; }

    /// <summary>What is wrong, in a few words.</summary>
    public string Title { get; }

    /// <summary>What is wrong and what the client may do, for people.</summary>
    public string Detail { get; }

    /// <summary>When the client may try again, in whole seconds, as <c>Retry-After</c> says; <see langword="null"/> if the response has no such header.</summary>
    public TimeSpan? RetryAfter { get; }
}
