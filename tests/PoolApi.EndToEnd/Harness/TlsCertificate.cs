using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A self-signed certificate for some host names, with the files that a proxy reads.</summary>
internal sealed class TlsCertificate : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly X509Certificate2 _certificate;

    /// <summary>Makes one that is valid today.</summary>
    public TlsCertificate(params string[] hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hosts[0]}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (string host in hosts)
            names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        var now = DateTimeOffset.UtcNow;
        _certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(CertificateFile, _certificate.ExportCertificatePem());
        File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>The certificate, in PEM.</summary>
    public string CertificateFile => _folder.File("tls.crt");

    /// <summary>Its key, in PEM.</summary>
    public string KeyFile => _folder.File("tls.key");

    /// <summary>Whether the certificate of a server is this one.</summary>
    public bool Is(X509Certificate? shown) => shown?.GetCertHashString() == _certificate.GetCertHashString();

    /// <inheritdoc />
    public void Dispose()
    {
        _certificate.Dispose();
        _folder.Dispose();
    }
}
