using Microsoft.Extensions.Options;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Answers;

/// <summary>Which jobs a request may see. Those of another client are for it as if they did not exist.</summary>
internal static class JobAccess
{
    /// <summary>The client whose request it is; <see langword="null"/> where clients are not told apart, and everybody sees every job.</summary>
    public static string? ClientOf(HttpContext context) => OptionsOf(context)?.Client?.Invoke(context);

    /// <summary>The client whose jobs a request sees; <see langword="null"/>: those of every client.</summary>
    public static string? ViewOf(HttpContext context) => OptionsOf(context)?.SeesEveryJob?.Invoke(context) == true ? null : ClientOf(context);

    /// <summary>The highest priority that a request may give to its job.</summary>
    public static WorkPriority MaxPriorityOf(HttpContext context) => OptionsOf(context)?.MaxPriority?.Invoke(context) ?? WorkPriority.High;

    /// <summary>401 for a request whose client is not known, where clients are told apart.</summary>
    public static JobProblem? RefuseUnknown(HttpContext context) => OptionsOf(context)?.Client is { } client && client(context) is null
        ? JobProblem.Of(context, CommonProblems.Unauthorized, "A job belongs to the client that made it, and the client of this request is not known. Sign in.")
        : null;

    /// <summary>The job, if the request may see it.</summary>
    public static Job? For(this Job? job, HttpContext context) =>
        ViewOf(context) is not { } client || string.Equals(job?.Client, client, StringComparison.Ordinal) ? job : null;

    /// <summary>The id that a path names. Only the form in which ids are given out: one job has one path.</summary>
    /// <remarks>The framework's parser also takes blanks around it, and signs before its numbers.</remarks>
    public static bool TryParseId(string text, out Guid id) =>
        Guid.TryParseExact(text, "D", out id) && string.Equals(text, id.ToString("D"), StringComparison.OrdinalIgnoreCase);

    private static JobsOptions? OptionsOf(HttpContext context) => context.RequestServices.GetService<IOptions<JobsOptions>>()?.Value;
}
