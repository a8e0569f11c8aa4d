using System.Globalization;
using System.Net;
using System.Text;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>A request that is sent again and again. Its bytes are made once.</summary>
internal sealed class Target
{
    /// <param name="url">The address, on this machine.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="headers">Lines such as <c>Prefer: respond-async</c>.</param>
    /// <param name="body">The body. Unless it is empty, there is a Content-Length.</param>
    public Target(Uri url, string method = "GET", IEnumerable<string>? headers = null, ReadOnlySpan<byte> body = default)
    {
        // A mistyped address must not flood a server of somebody else.
        if (!IPAddress.TryParse(url.Host, out IPAddress? address) || !IPAddress.IsLoopback(address))
            throw new ArgumentException($"{url} is not on this machine.", nameof(url));
        Url = url;
        IsPlain = method == "GET" && headers is null && body.IsEmpty;
        Server = new IPEndPoint(address, url.Port);
        var lines = new StringBuilder($"{method} {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\n");
        foreach (string header in headers ?? []) lines.Append(header).Append("\r\n");
        if (!body.IsEmpty) lines.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
        Request = (byte[])[.. Encoding.ASCII.GetBytes(lines.Append("\r\n").ToString()), .. body];
    }

    public Uri Url { get; }

    /// <summary>Whether it is a GET without headers of its own.</summary>
    public bool IsPlain { get; }

    public IPEndPoint Server { get; }

    public ReadOnlyMemory<byte> Request { get; }
}
