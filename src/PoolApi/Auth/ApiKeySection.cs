using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace PoolApi.Auth;

/// <summary>Reads clients and their keys from a section of settings. Faults name the setting, never a key.</summary>
/// <remarks>
/// Under the name of a client stands its key, the hash of its key, or a section with <c>Key</c> or <c>Hash</c>, <c>Role</c>,
/// <c>MaxConcurrency</c> and <c>MaxPriority</c>.
/// </remarks>
internal static class ApiKeySection
{
    public const int MaxConcurrency = 1_000_000;
    private const int MaxNameLength = 64;

    public static readonly string NameRule = $"1 to {MaxNameLength} ASCII letters, digits, '-', '_' or '.'";

    public static readonly string KeyRule =
        $"a key of {ApiKeyHash.MinLength} to {ApiKeyHash.MaxLength} visible ASCII characters, without blanks, or its hash as `PoolApi keys new` prints it";

    private static readonly Setting Key = Setting.Special("Key", KeyRule, "the key, or its hash");
    private static readonly Setting Hash = Setting.Special("Hash", KeyRule, "the same");
    private static readonly TextSetting Role = Setting.Words("Role", "work", static text => text is "read" or "work" or "admin", "read, work or admin", "what the client may do");
    private static readonly Setting<long> Concurrency = Setting.WholeNumber("MaxConcurrency", 0, 1, MaxConcurrency, "requests for work that the client may have in the pool");
    private static readonly TextSetting Priority = Setting.Words("MaxPriority", "high", static text => text is "high" or "normal" or "low", "high, normal or low", "the highest priority of the client's jobs");

    /// <summary>Reads the clients of several sections. A client may occur in one section only.</summary>
    public static ApiKeys Read(ReadOnlySpan<IConfigurationSection> sections, List<string> faults)
    {
        var clients = new List<(byte[] Hash, ApiClient Client)>();
        var paths = new Dictionary<string, string>(StringComparer.Ordinal); // by hash
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var plain = new List<string>();
        foreach (IConfigurationSection section in sections)
        {
            // An empty value without clients would require keys that no client has. Some sources of settings give a section with clients an empty value.
            if (section.Value is { } value && (value.Length > 0 || !section.GetChildren().Any()))
                faults.Add($"{section.Path} is a value; it must be a section, with a key under the name of each client.");
            foreach (IConfigurationSection entry in section.GetChildren())
            {
                string path = entry.Path;
                if (!IsName(entry.Key))
                    faults.Add($"{section.Path} has an invalid client name (not repeated here, because it may be a key); it must be {NameRule}.");
                else if (!names.Add(entry.Key))
                    faults.Add($"{path} is a client that already has a key; each client may be listed only once.");
                else if (ReadEntry(entry, path, faults) is not { } client)
                    continue;
                else if (!paths.TryAdd(Convert.ToHexString(client.Hash), path))
                    faults.Add($"{path} is the same key as {paths[Convert.ToHexString(client.Hash)]}; each client must have a key of its own.");
                else
                    Add(entry, client);
            }
        }
        return new ApiKeys(clients, plain);

        void Add(IConfigurationSection entry, (byte[] Hash, ApiClient Client) client)
        {
            clients.Add(client);
            if (!ApiKeyHash.TryRead(Stored(entry), out _)) plain.Add(entry.Key);
        }
    }

    private static (byte[] Hash, ApiClient Client)? ReadEntry(IConfigurationSection entry, string path, List<string> faults)
    {
        if (!entry.GetChildren().Any()) return HashOf(entry.Value, path, faults) is { } only ? (only, new ApiClient(entry.Key)) : null;

        int before = faults.Count;
        var reader = new SettingsReader(entry, faults);
        reader.Known(Key);
        reader.Known(Hash);
        ApiRole role = reader.Read(Role) switch { "read" => ApiRole.Read, "admin" => ApiRole.Admin, _ => ApiRole.Work };
        int concurrency = reader.Read(Concurrency, 0);
        WorkPriority priority = reader.Read(Priority) switch { "low" => WorkPriority.Low, "normal" => WorkPriority.Normal, _ => WorkPriority.High };
        reader.RejectUnknownKeys(secret: true);
        if (entry[Key.Key] is not null && entry[Hash.Key] is not null) faults.Add($"{path} has both {Key.Key} and {Hash.Key}; it must have only one of them.");
        if (faults.Count > before) return null;
        return HashOf(Stored(entry), path, faults) is not { } hash ? null : (hash, new ApiClient(entry.Key, role, concurrency == 0 ? null : concurrency, priority));
    }

    /// <summary>What is stored for a client: its key, or the hash of its key.</summary>
    /// <remarks>Some sources of settings give a section an empty value.</remarks>
    private static string? Stored(IConfigurationSection entry) =>
        entry.GetChildren().Any() ? entry[Key.Key] ?? entry[Hash.Key] : entry.Value;

    private static byte[]? HashOf(string? text, string path, List<string> faults)
    {
        if (ApiKeyHash.TryRead(text, out byte[]? hash)) return hash;
        if (ApiKeyHash.IsKey(text)) return ApiKeyHash.Of(text);
        faults.Add($"{path} is not a valid key (the value is not repeated here); it must be {KeyRule}.");
        return null;
    }

    /// <summary>Whether a text can be the name of a client.</summary>
    public static bool IsName(string text) =>
        text.Length is >= 1 and <= MaxNameLength && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
