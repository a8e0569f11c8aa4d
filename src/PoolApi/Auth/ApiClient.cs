using PoolApi.Threading;

namespace PoolApi.Auth;

/// <summary>A client that has a key. If the service asks for keys, a feature of every request that needed one.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role">What it may do.</param>
/// <param name="MaxConcurrency">How many of its requests may be in the pool at a time; <see langword="null"/>: <c>Auth:MaxConcurrency</c>.</param>
/// <param name="MaxPriority">The highest priority of its jobs. Other requests have the priority of their route, which no client can choose.</param>
internal sealed record ApiClient(string Name, ApiRole Role = ApiRole.Work, int? MaxConcurrency = null, WorkPriority MaxPriority = WorkPriority.High)
{
    /// <summary>Whether it may send work.</summary>
    public bool MayWork => Role is ApiRole.Work or ApiRole.Admin;

    /// <summary>Whether it sees the jobs of every client.</summary>
    public bool SeesEveryJob => Role is ApiRole.Read or ApiRole.Admin;
}
