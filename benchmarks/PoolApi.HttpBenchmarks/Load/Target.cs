using System.Net;
using System.Text;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>What is requested, again and again: the bytes are made once.</summary>
internal sealed class Target
{
    public Target(Uri url)
    {
        // Nobody else's server is to be flooded by a mistyped address.
        if (!IPAddress.TryParse(url.Host, out IPAddress? address) || !IPAddress.IsLoopback(address))
            throw new ArgumentException($"{url} is not on this machine.", nameof(url));
        Url = url;
        Server = new IPEndPoint(address, url.Port);
        Request = Encoding.ASCII.GetBytes($"GET {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\n\r\n");
    }

    public Uri Url { get; }

    public IPEndPoint Server { get; }

    public ReadOnlyMemory<byte> Request { get; }
}
