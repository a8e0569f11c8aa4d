using System.Buffers;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>
/// What a job stores of its request in addition to the method, path, query, content type and body: headers by name, and the user. Set for one
/// endpoint, or for the whole app. Not thread-safe while it is configured.
/// </summary>
/// <remarks>
/// Headers that are known to be secrets are refused: a job outlives its request, and a reader of the store could act as the client. Other
/// headers, the query string and the claims are stored as they are: put no secret into them.
/// </remarks>
public sealed class RequestCapture
{
    private static readonly SearchValues<char> TokenChars =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly HashSet<string> Secrets = new(StringComparer.OrdinalIgnoreCase)
    {
        "Authorization", "Proxy-Authorization", "Cookie", "Cookie2", "X-Api-Key", "X-Access-Token", "X-Auth-Token", "X-CSRF-Token",
        "X-XSRF-Token", "X-Amz-Security-Token",
    };

    /// <summary>Headers that describe one connection: they have no meaning when the job runs.</summary>
    private static readonly HashSet<string> OfConnection = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Expect", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    };

    private static readonly HashSet<string> Usual = new(StringComparer.OrdinalIgnoreCase)
    {
        "Content-Encoding", "Content-Length", "Content-Type", "Host",
    };

    private readonly SortedSet<string> _headers = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether the user is kept.</summary>
    public bool HasUser { get; private set; }

    /// <summary>The headers that are kept, in a fixed order, independent of the order in which they were named.</summary>
    public IReadOnlyCollection<string> HeaderNames => _headers;

    /// <summary>
    /// Keeps the user: of each identity the authentication type, the claims, and which of them are its name and roles. The claims are stored
    /// as they are, not encrypted. The user is not checked again when the job runs.
    /// </summary>
    /// <returns>This.</returns>
    public RequestCapture User()
    {
        HasUser = true;
        return this;
    }

    /// <summary>Keeps headers. If two requests under one Idempotency-Key differ in one of these headers, the second is refused.</summary>
    /// <param name="names">Their names.</param>
    /// <returns>This.</returns>
    /// <exception cref="ArgumentException">A text is not the name of a header, or the header must not or cannot be kept.</exception>
    public RequestCapture Headers(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            ArgumentException.ThrowIfNullOrEmpty(name);
            if (name.AsSpan().ContainsAnyExcept(TokenChars)) throw new ArgumentException($"'{name}' is not the name of a header.", nameof(names));
            if (Secrets.Contains(name))
            {
                throw new ArgumentException(
                    $"The header {name} is a secret of the client, and is not stored with a job. Keep the user (Capture.User()), "
                    + "or a header that names the client and proves nothing.",
                    nameof(names));
            }
            if (OfConnection.Contains(name))
                throw new ArgumentException($"The header {name} describes one connection, and has no meaning when a job runs.", nameof(names));
            if (!Usual.Contains(name)) _headers.Add(name);
        }
        return this;
    }

    /// <summary>Adds what another one stores.</summary>
    public RequestCapture Add(RequestCapture other)
    {
        HasUser |= other.HasUser;
        _headers.UnionWith(other._headers);
        return this;
    }
}
