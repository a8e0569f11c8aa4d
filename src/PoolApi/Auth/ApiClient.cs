using PoolApi.Threading;

namespace PoolApi.Auth;

/// <summary>One client that has a key. Among the features of every request for work, where keys are asked for.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role">What it may do.</param>
/// <param name="MaxConcurrency">Requests for work that it may have in the pool; <see langword="null"/>: as many as <c>Auth:MaxConcurrency</c> says.</param>
/// <param name="MaxPriority">The highest priority of its jobs. Other requests have the priority of their route, which no client can choose.</param>
internal sealed record ApiClient(string Name, ApiRole Role = ApiRole.Work, int? MaxConcurrency = null, WorkPriority MaxPriority = WorkPriority.High)
{
    /// <summary>Whether it may send work.</summary>
    public bool MayWork => Role is ApiRole.Work or ApiRole.Admin;

    /// <summary>Whether it sees the jobs of every client.</summary>
    public bool SeesEveryJob => Role is ApiRole.Read or ApiRole.Admin;
}
