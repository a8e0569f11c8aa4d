using System.Net;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>Repeats a GET that the service of a busy machine answers with 503 <c>store-unavailable</c>: a running database may take longer than the
/// service waits. The fifth answer is returned in any case.</summary>
internal sealed class RepeatedReads(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const int Most = 5;

    /// <summary>Whether it repeats reads. Off by default, because a test may make the store unavailable, and then the first answer counts.</summary>
    public bool AreOn { get; set; }

    /// <inheritdoc />
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (!AreOn || attempt == Most || request.Method != HttpMethod.Get || response.StatusCode != HttpStatusCode.ServiceUnavailable || MachineLoad.Factor <= 1)
                return response;
            // Buffered, so that the caller can read the body too.
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            if (!(await response.Content.ReadAsStringAsync(cancellationToken)).Contains(":store-unavailable", StringComparison.Ordinal))
                return response;
            response.Dispose();
        }
    }
}
