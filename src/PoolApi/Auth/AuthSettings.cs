using Microsoft.Extensions.DependencyInjection.Extensions;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace PoolApi.Auth;

/// <summary>Who may use the service, and how much of it: the section <c>Auth</c>. Faults name the setting, never a key.</summary>
internal sealed class AuthSettings
{
    private static readonly Setting KeysSetting = Setting.Special(
        "ApiKeys",
        $"a section: under the name of each client {ApiKeySection.KeyRule}; or a section with `Key` or `Hash`, `Role` (read, work or admin; work if it is not set), `MaxConcurrency` and `MaxPriority`",
        "the clients that may use the service; none: everybody may");

    private static readonly TextSetting FileSetting = Setting.Words(
        "KeysFile", "", static path => path.Trim().Length > 0, "the path of a JSON file: an object with the same entries as `Auth:ApiKeys`",
        "more clients; a change of the file takes effect within about a second, without a restart");

    private static readonly Setting<long> MaxConcurrency = Setting.WholeNumber(
        "MaxConcurrency", 0, 1, ApiKeySection.MaxConcurrency, "requests for work that a client without a limit of its own may have in the pool")
        .WithDefault("half of workers + queue");

    public static readonly SettingSection Section = new("Auth", [KeysSetting, FileSetting, MaxConcurrency]);

    private readonly IConfigurationSection _clients;
    private readonly int? _maxConcurrency;

    private AuthSettings(IConfigurationSection clients, ApiKeyFile? file, int? maxConcurrency, List<string> faults)
    {
        // A copy: appsettings.json may be half written when the keys file changes, and takes effect at the next start only.
        _clients = new ConfigurationBuilder().AddInMemoryCollection(clients.AsEnumerable()).Build().GetSection(clients.Path);
        _maxConcurrency = maxConcurrency;
        File = file;
        Keys = clients.Exists() || file is not null ? new ApiKeyRing(ReadKeys(faults)) : null;
    }

    /// <summary>The keys; <see langword="null"/>: none are configured, and no request needs one.</summary>
    public ApiKeyRing? Keys { get; }

    /// <summary>The keys file, which has further clients; <see langword="null"/> if none is configured.</summary>
    public ApiKeyFile? File { get; }

    public static AuthSettings Read(IConfiguration configuration, string contentRoot, List<string> faults)
    {
        IConfigurationSection section = configuration.GetSection(Section.Name);
        var reader = new SettingsReader(section, faults);
        reader.Known(KeysSetting);
        string file = reader.Read(FileSetting);
        int maxConcurrency = reader.Read(MaxConcurrency, 0);
        reader.RejectUnknownKeys(secret: true);

        IConfigurationSection clients = section.GetSection(KeysSetting.Key);
        if (maxConcurrency != 0 && !clients.Exists() && file.Length == 0)
            faults.Add($"{section.Path}:{MaxConcurrency.Key} is set without {clients.Path}; it may be set only where there are keys to tell clients apart.");
        return new AuthSettings(
            clients, file.Length == 0 ? null : new ApiKeyFile(Path.Combine(contentRoot, file)), maxConcurrency == 0 ? null : maxConcurrency, faults);
    }

    /// <summary>The keys in the settings, as they were at the start, and in the file now.</summary>
    public ApiKeys ReadKeys(List<string> faults)
    {
        IConfigurationSection? more = File?.Read(faults);
        return ApiKeySection.Read(more is null ? [_clients] : [_clients, more], faults);
    }

    /// <summary>Gives each client its share of a pool, if there are keys to distinguish them.</summary>
    public void AddTo(PoolOptions pool)
    {
        if (Keys is null) return;
        // Faults of the pool's own settings are reported elsewhere.
        int room = Math.Clamp(pool.Workers, 1, FixedThreadPoolOptions.MaxWorkers)
            + Math.Clamp(pool.QueueCapacity, 1, FixedThreadPoolOptions.MaxQueueCapacity);
        pool.Quota = new ApiKeyQuota(_maxConcurrency ?? room / 2);
    }

    /// <summary>Registers the keys, and the watch that reads the keys file again after a change.</summary>
    public void AddTo(IServiceCollection services)
    {
        if (Keys is null) return;
        services.AddSingleton(this).AddSingleton(Keys);
        if (File is null) return;
        services.TryAddSingleton(TimeProvider.System);
        services.AddHostedService<ApiKeyFileWatch>();
    }
}
