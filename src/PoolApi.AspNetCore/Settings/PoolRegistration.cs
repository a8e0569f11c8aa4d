using Microsoft.AspNetCore.Http;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Settings;

/// <summary>The registration of a pool: its name, its configuration section, and what the app configures in code.</summary>
/// <remarks>The builder changes it while services are registered. From the app's start on it is only read.</remarks>
internal sealed class PoolRegistration(string name)
{
    private static volatile bool s_isAny;

    /// <summary>
    /// Whether any app of this process has added a pool. Code without access to the services can check only this. If no app has added a
    /// pool, the current app has none either.
    /// </summary>
    public static bool IsAny => s_isAny;

    public string Name => name;

    /// <summary>Notes that an app has added a pool.</summary>
    public static void Note() => s_isAny = true;

    public SettingsSection Section { get; set; } = new($"Pools:{name}");

    /// <summary>The callbacks that change the pool's own options, in their order, after the settings.</summary>
    public List<Action<IServiceProvider, FixedThreadPoolOptions>> Threads { get; } = [];

    /// <summary>The callbacks for rejected requests, called in their order until one has written the response.</summary>
    public List<Func<HttpContext, PoolRejection, ValueTask<bool>>> Rejected { get; } = [];
}

/// <summary>A section of the configuration.</summary>
/// <param name="Path">Its path.</param>
/// <param name="IsShared">Whether it also has keys of the app, so that an unknown key is no fault.</param>
internal sealed record SettingsSection(string Path, bool IsShared = false)
{
    public bool Is(SettingsSection other) => string.Equals(Path, other.Path, StringComparison.OrdinalIgnoreCase);
}

/// <summary>The configuration section of the stop.</summary>
internal sealed record ShutdownSection(SettingsSection Section)
{
    public static ShutdownSection Default { get; } = new(new SettingsSection("PoolShutdown"));
}
