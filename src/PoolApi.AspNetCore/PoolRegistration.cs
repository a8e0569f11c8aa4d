using Microsoft.AspNetCore.Http;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>A pool that the app asked for: where its settings are, and what the app adds to them in code.</summary>
/// <remarks>Changed by the builder while services are added, only read from the app's start on.</remarks>
internal sealed class PoolRegistration(string name)
{
    public string Name => name;

    public SettingsSection Section { get; set; } = new($"Pools:{name}");

    /// <summary>Applied to the threads' options in their order, after the settings.</summary>
    public List<Action<IServiceProvider, FixedThreadPoolOptions>> Threads { get; } = [];

    /// <summary>Asked in their order, until one has written the answer.</summary>
    public List<Func<HttpContext, PoolRejection, ValueTask<bool>>> Rejected { get; } = [];
}

/// <summary>A section of the configuration.</summary>
/// <param name="Path">Its path.</param>
/// <param name="IsShared">Whether it has keys of the app too, so that a key that nobody here knows is no fault.</param>
internal sealed record SettingsSection(string Path, bool IsShared = false)
{
    public bool Is(SettingsSection other) => string.Equals(Path, other.Path, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Where the settings of the stop are.</summary>
internal sealed record ShutdownSection(SettingsSection Section)
{
    public static ShutdownSection Default { get; } = new(new SettingsSection("PoolShutdown"));
}
