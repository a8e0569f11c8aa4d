using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The pools that the stop drains and joins: all pools of the app.</summary>
internal sealed record ShutdownPools(IReadOnlyList<FixedThreadPool> All);
