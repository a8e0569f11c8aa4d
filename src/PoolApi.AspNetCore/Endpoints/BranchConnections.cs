using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The endpoints under the path of a branch on a pool that stay off it, because they are connections. Logs each of them once. Thread-safe.</summary>
internal sealed partial class BranchConnections(IServiceProvider services, string path)
{
    private readonly ILogger<BranchConnections> _logger = services.GetRequiredService<ILogger<BranchConnections>>();
    private readonly ConcurrentDictionary<string, bool> _logged = new(StringComparer.Ordinal);

    /// <summary>Whether the endpoint stays off the pool.</summary>
    /// <param name="endpoint">The endpoint that routing has selected; <see langword="null"/>: none yet.</param>
    public bool Contains(Endpoint? endpoint)
    {
        if (endpoint is null || !UnsupportedEndpoint.Is(endpoint)) return false;
        string name = endpoint.DisplayName ?? "";
        if (_logged.TryAdd(name, true)) LogOffPool(name, path);
        return true;
    }

    [LoggerMessage(
        18, LogLevel.Warning,
        "The endpoint '{endpoint}' stays off the pool of UseFixedThreadPool('{path}'), because it is a connection. "
        + "Call pool.RunAsync in its methods; logged once for each endpoint")]
    private partial void LogOffPool(string endpoint, string path);
}
