using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace PoolApi.Auth;

/// <summary>Who may use the pool, and how much of it: the section <c>Auth</c>. Faults name the setting, never a key.</summary>
internal sealed class AuthSettings
{
    private const int MaxNameLength = 64;
    private static readonly string KeyRule = $"{ApiKeys.MinLength} to {ApiKeys.MaxLength} visible ASCII characters, without blanks";

    private static readonly Setting KeysSetting = Setting.Special(
        "ApiKeys", $"a section: under the name of each client, its key, {KeyRule}", "the clients that may use the pool; none: everybody may");

    private static readonly Setting<long> MaxConcurrency = Setting.WholeNumber(
        "MaxConcurrency", 0, 1, 1_000_000, "requests for work that one client may have in the pool").WithDefault("half of workers + queue");

    public static readonly SettingSection Section = new("Auth", [KeysSetting, MaxConcurrency]);

    private readonly int? _maxConcurrency;

    private AuthSettings(ApiKeys? keys, int? maxConcurrency)
    {
        Keys = keys;
        _maxConcurrency = maxConcurrency;
    }

    /// <summary>The keys; <see langword="null"/> if none are asked for.</summary>
    public ApiKeys? Keys { get; }

    public static AuthSettings Read(IConfiguration configuration, List<string> faults)
    {
        IConfigurationSection section = configuration.GetSection(Section.Name);
        var reader = new SettingsReader(section, faults);
        reader.Known(KeysSetting);
        int maxConcurrency = reader.Read(MaxConcurrency, 0);
        reader.RejectUnknownKeys(secret: true);

        IConfigurationSection clients = section.GetSection(KeysSetting.Key);
        Dictionary<string, string> keys = ReadKeys(clients, faults);
        if (maxConcurrency != 0 && !clients.Exists())
            faults.Add($"{section.Path}:{MaxConcurrency.Key} is set without {clients.Path}; it may be set where there are keys to tell clients apart.");
        return new AuthSettings(keys.Count == 0 ? null : new ApiKeys(keys), maxConcurrency == 0 ? null : maxConcurrency);
    }

    /// <summary>Gives each client its share of a pool, if there are keys to tell them apart.</summary>
    public void AddTo(PoolOptions pool)
    {
        if (Keys is null) return;
        // What the pool's own settings got wrong is told elsewhere.
        int room = Math.Clamp(pool.Workers, 1, FixedThreadPoolOptions.MaxWorkers)
            + Math.Clamp(pool.QueueCapacity, 1, FixedThreadPoolOptions.MaxQueueCapacity);
        pool.Quota = new ApiKeyQuota(Keys.Names, _maxConcurrency ?? room / 2);
    }

    private static Dictionary<string, string> ReadKeys(IConfigurationSection section, List<string> faults)
    {
        if (section.Value is { Length: > 0 })
            faults.Add($"{section.Path} is a value; it may be a section, with a key under the name of each client.");
        var keys = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (IConfigurationSection client in section.GetChildren())
        {
            if (!IsName(client.Key))
                faults.Add($"{section.Path} has a name that is none for a client (it is not told here: it may be a key); it may be 1 to {MaxNameLength} ASCII letters, digits, '-', '_' or '.'.");
            else if (client.GetChildren().Any())
                faults.Add($"{client.Path} has settings under it; it may be a key of {KeyRule}.");
            else if (!ApiKeys.IsKey(client.Value))
                faults.Add($"{client.Path} is not such a key as is taken (it is not told here); it may be {KeyRule}.");
            else if (!names.TryAdd(client.Value, client.Path))
                faults.Add($"{client.Path} is the same key as {names[client.Value]}; it may be another for each client.");
            else
                keys.Add(client.Key, client.Value);
        }
        return keys;
    }

    private static bool IsName(string text) =>
        text.Length is >= 1 and <= MaxNameLength && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
