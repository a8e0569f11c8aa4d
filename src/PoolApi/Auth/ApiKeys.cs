using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Auth;

/// <summary>The keys at one moment: each client with the hash of its key. Immutable.</summary>
/// <param name="clients">Hashes, each of them once, with their clients.</param>
/// <param name="plain">The names of the clients whose key itself is stored, not its hash.</param>
internal sealed class ApiKeys(IEnumerable<(byte[] Hash, ApiClient Client)> clients, params IReadOnlyList<string> plain) : IEquatable<ApiKeys>
{
    public const string Header = "X-Api-Key";
    public const string Scheme = "Bearer";

    private readonly (byte[] Hash, ApiClient Client)[] _clients = [.. clients];

    /// <summary>How many clients have a key.</summary>
    public int Count => _clients.Length;

    /// <summary>The names of the clients whose key itself is stored, not its hash.</summary>
    public IReadOnlyList<string> Plain => plain;

    /// <summary>Whose request it is: the client of the key in <c>X-Api-Key</c>, or else in <c>Authorization: Bearer</c>.</summary>
    /// <returns><see langword="null"/> if there is no key, or one that no client has.</returns>
    public ApiClient? ClientOf(HttpRequest request)
    {
        string? key = request.Headers.TryGetValue(Header, out StringValues own) ? Only(own) : Bearer(Only(request.Headers.Authorization));
        return ApiKeyHash.IsKey(key) ? ClientOf(key) : null;
    }

    /// <summary>Takes the same time for every key, and for a wrong one.</summary>
    private ApiClient? ClientOf(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        ApiKeyHash.Of(key, hash);
        ApiClient? found = null;
        foreach (var client in _clients)
        {
            if (CryptographicOperations.FixedTimeEquals(client.Hash, hash)) found = client.Client;
        }
        return found;
    }

    /// <summary>Whether the same clients have the same keys.</summary>
    public bool Equals(ApiKeys? other) => other is not null && _clients.Length == other._clients.Length
        && _clients.Zip(other._clients).All(static pair =>
            pair.First.Client == pair.Second.Client && CryptographicOperations.FixedTimeEquals(pair.First.Hash, pair.Second.Hash));

    public override bool Equals(object? obj) => Equals(obj as ApiKeys);

    public override int GetHashCode() => _clients.Length;

    private static string? Only(StringValues values) => values.Count == 1 ? values[0] : null;

    private static string? Bearer(string? authorization) =>
        authorization is not null && authorization.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase)
            ? authorization[Scheme.Length..].Trim(' ')
            : null;
}
