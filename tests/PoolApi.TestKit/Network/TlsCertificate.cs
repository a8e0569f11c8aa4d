using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PoolApi.TestKit.Files;

namespace PoolApi.TestKit.Network;

/// <summary>A self-signed certificate for some hosts, with the files that a server or a client reads. It is its own authority.</summary>
public sealed class TlsCertificate : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>Makes one that is valid today.</summary>
    /// <param name="hosts">The hosts, by name or by address.</param>
    public TlsCertificate(params string[] hosts)
    {
        var request = new CertificateRequest($"CN={hosts[0]}", _key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (string host in hosts)
        {
            if (IPAddress.TryParse(host, out IPAddress? address)) names.AddIpAddress(address);
            else names.AddDnsName(host);
        }
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        Value = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        CertificateFile = Write("tls.crt", Value.ExportCertificatePem());
        KeyFile = Write("tls.key", _key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>The certificate, with its key.</summary>
    public X509Certificate2 Value { get; }

    /// <summary>The certificate, in PEM.</summary>
    public string CertificateFile { get; }

    /// <summary>Its key, in PEM.</summary>
    public string KeyFile { get; }

    /// <summary>Writes its key in PEM, encrypted.</summary>
    /// <returns>The path of the file.</returns>
    public string WriteKey(string password) => Write(
        "encrypted.key", _key.ExportEncryptedPkcs8PrivateKeyPem(password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));

    /// <summary>Whether the certificate of a server is this one.</summary>
    public bool Is(X509Certificate? shown) => shown?.GetCertHashString() == Value.GetCertHashString();

    /// <inheritdoc />
    public void Dispose()
    {
        Value.Dispose();
        _key.Dispose();
        _folder.Dispose();
    }

    private string Write(string name, string text)
    {
        string path = _folder.File(name);
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }
}
