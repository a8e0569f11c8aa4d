using System.Text.Json;

namespace PoolApi.Auth;

/// <summary>The keys in a file: a JSON object with an entry under the name of each client, as under <c>Auth:ApiKeys</c>.</summary>
internal sealed record ApiKeyFile(string Path)
{
    /// <summary>The prefix of the file's entries in the texts of faults: <c>KeysFile:CLIENT</c>.</summary>
    public const string Section = "KeysFile";

    // Room for 100,000 clients. The parser reads the whole file, and one put here by mistake may be larger than the memory.
    private const int MaxMegabytes = 16;

    /// <summary>Reads the file.</summary>
    /// <returns>Its entries; <see langword="null"/> if it cannot be read, which is a fault.</returns>
    public IConfigurationSection? Read(List<string> faults)
    {
        try
        {
            using FileStream stream = File.OpenRead(Path);
            if (stream.CanSeek && stream.Length > MaxMegabytes << 20) throw new IOException($"it has more than {MaxMegabytes} MiB");
            IConfigurationRoot json = new ConfigurationBuilder().AddJsonStream(stream).Build();
            return new ConfigurationBuilder()
                .AddInMemoryCollection(json.AsEnumerable().Select(static pair => KeyValuePair.Create($"{Section}:{pair.Key}", pair.Value)))
                .Build().GetSection(Section);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException or JsonException)
        {
            // InvalidOperationException: a string has half of a surrogate pair, which the parser finds only when the string is read.
            // The message of a parser may quote what it read, which may be a key.
            string why = e is IOException or UnauthorizedAccessException ? e.Message : "it is no JSON object";
            faults.Add($"Auth:KeysFile is '{Path}', which cannot be read: {why}");
            return null;
        }
    }
}
