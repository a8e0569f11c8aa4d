using System.Security.Cryptography;

namespace PoolApi.Dashboard.Pages;

/// <summary>A file that browsers may cache without limit, because its name has the hash of its content.</summary>
internal sealed class Asset
{
    public Asset(string name, byte[] content)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 8));
        int dot = name.LastIndexOf('.');
        HashedName = $"{name[..dot]}.{hash}{name[dot..]}";
        Content = content;
        ETag = $"\"{hash}\"";
        ContentType = name[dot..] switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => throw new InvalidOperationException($"The package has an asset of an unknown type: {name}."),
        };
    }

    /// <summary>The name with the hash of the content.</summary>
    public string HashedName { get; }

    public byte[] Content { get; }

    public string ETag { get; }

    public string ContentType { get; }
}
