using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Auth;

/// <summary>The keys that open the pool, each under the name of the client that has it. Of the keys only hashes are kept.</summary>
internal sealed class ApiKeys
{
    public const int MinLength = 16;
    public const int MaxLength = 256;
    public const string Header = "X-Api-Key";
    public const string Scheme = "Bearer";

    private readonly (string Name, byte[] Hash)[] _clients;

    /// <param name="keys">Names and keys, all of them such as <see cref="IsKey"/> allows.</param>
    public ApiKeys(IEnumerable<KeyValuePair<string, string>> keys) =>
        _clients = [.. keys.Select(static k => (k.Key, SHA256.HashData(Encoding.ASCII.GetBytes(k.Value))))];

    public IEnumerable<string> Names => _clients.Select(static c => c.Name);

    /// <summary>Whether a text can be a key: of some length, and such that it survives a header.</summary>
    public static bool IsKey([NotNullWhen(true)] string? text) =>
        text is { Length: >= MinLength and <= MaxLength } && text.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0;

    /// <summary>Whose request it is: the name that goes with the key in <c>X-Api-Key</c>, or else in <c>Authorization: Bearer</c>.</summary>
    /// <returns><see langword="null"/> if there is no key, or one that nobody has.</returns>
    public string? NameOf(HttpRequest request)
    {
        string? key = request.Headers.TryGetValue(Header, out StringValues own) ? Only(own) : Bearer(Only(request.Headers.Authorization));
        return IsKey(key) ? NameOf(key) : null;
    }

    /// <summary>Takes as long whichever key it is, and if it is none.</summary>
    private string? NameOf(string key)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.ASCII.GetBytes(key, bytes)], hash);
        string? name = null;
        foreach (var client in _clients)
        {
            if (CryptographicOperations.FixedTimeEquals(client.Hash, hash)) name = client.Name;
        }
        return name;
    }

    private static string? Only(StringValues values) => values.Count == 1 ? values[0] : null;

    private static string? Bearer(string? authorization) =>
        authorization is not null && authorization.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase)
            ? authorization[Scheme.Length..].Trim(' ')
            : null;
}
