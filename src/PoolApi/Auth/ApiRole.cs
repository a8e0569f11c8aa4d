namespace PoolApi.Auth;

/// <summary>What a key lets its client do.</summary>
internal enum ApiRole
{
    /// <summary>See the jobs of every client.</summary>
    Read,

    /// <summary>Send work and jobs, and see, cancel and retry its own jobs.</summary>
    Work,

    /// <summary>Do what both others may, cancel and retry the jobs of every client, and change things on the management port.</summary>
    Admin,
}
