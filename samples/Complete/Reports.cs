using System.Security.Claims;
using System.Security.Cryptography;

namespace Complete;

/// <summary>The size of a user's report, in pages.</summary>
public sealed record Spec(int Pages);

/// <summary>The payload of a job: a month to report on.</summary>
public sealed record Monthly(int Year, int Month);

/// <summary>Work that takes a while and reports its progress.</summary>
public sealed class Reports(IHttpContextAccessor http, ILogger<Reports> log)
{
    private const int RoundsOfPage = 1000;

    /// <summary>The report of a user. It runs in a request, or in a job, which has the user and the header of its request too.</summary>
    public string Build(int id, Spec spec, IProgress<double>? progress, CancellationToken cancellation)
    {
        HttpContext context = http.HttpContext!;
        string title = $"User {id}, for {context.User.FindFirstValue("sub") ?? "anybody"} of {context.Request.Headers["X-Tenant"]}";
        return Build(title, spec.Pages, progress, cancellation);
    }

    /// <summary>The report of a month. It runs in a job that the app's code makes.</summary>
    public string Build(Monthly month, IProgress<double> progress, CancellationToken cancellation) =>
        Build($"{month.Year}-{month.Month:00}", DateTime.DaysInMonth(month.Year, month.Month), progress, cancellation);

    private string Build(string title, int pages, IProgress<double>? progress, CancellationToken cancellation)
    {
        byte[] content = [];
        for (int page = 1; page <= pages; page++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int round = 0; round < RoundsOfPage; round++) content = SHA256.HashData(content);
            progress?.Report(page / (double)pages);
        }
        string report = $"{title}: {pages} pages, {Convert.ToHexString(content)}";
        log.LogInformation("Report built on {Thread}: {Report}", Thread.CurrentThread.Name, report);
        return report;
    }
}
