using Microsoft.Extensions.Options;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>Decides which jobs a request may see. A job of another client is answered as if it did not exist.</summary>
internal static class JobAccess
{
    /// <summary>The client of a request; <see langword="null"/> if the app does not distinguish clients, so that every request sees every job.</summary>
    public static string? ClientOf(HttpContext context) => OptionsOf(context)?.Client?.Invoke(context);

    /// <summary>The client whose jobs a request sees; <see langword="null"/>: those of every client.</summary>
    public static string? ViewOf(HttpContext context) => OptionsOf(context)?.SeesEveryJob?.Invoke(context) == true ? null : ClientOf(context);

    /// <summary>The highest priority that a request may give to its job.</summary>
    public static WorkPriority MaxPriorityOf(HttpContext context) => OptionsOf(context)?.MaxPriority?.Invoke(context) ?? WorkPriority.High;

    /// <summary>401 for a request without a known client, if the app distinguishes clients.</summary>
    public static JobProblem? RefuseUnknown(HttpContext context) => OptionsOf(context)?.Client is { } client && client(context) is null
        ? JobProblem.Of(context, CommonProblems.Unauthorized, "A job belongs to the client that made it, and the client of this request is not known. Sign in.")
        : null;

    /// <summary>The job, if the request may see it.</summary>
    public static Job? For(this Job? job, HttpContext context) =>
        ViewOf(context) is not { } client || string.Equals(job?.Client, client, StringComparison.Ordinal) ? job : null;

    /// <summary>Parses the id in a path. Only the form in which ids are issued is accepted, so that a job has one path.</summary>
    /// <remarks>The framework's parser also accepts surrounding blanks, and signs before the numbers.</remarks>
    public static bool TryParseId(string text, out Guid id) =>
        Guid.TryParseExact(text, "D", out id) && string.Equals(text, id.ToString("D"), StringComparison.OrdinalIgnoreCase);

    private static JobsOptions? OptionsOf(HttpContext context) => context.RequestServices.GetService<IOptions<JobsOptions>>()?.Value;
}
