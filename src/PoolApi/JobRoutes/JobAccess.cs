using PoolApi.Auth;
using PoolApi.Jobs;

namespace PoolApi.JobRoutes;

/// <summary>Which jobs a request may see. Those of another client are for it as if they did not exist.</summary>
internal static class JobAccess
{
    /// <summary>The client whose request it is; <see langword="null"/> where no keys are asked for, and everybody sees every job.</summary>
    public static string? ClientOf(HttpContext context) => context.Features.Get<ApiClient>()?.Name;

    /// <summary>The job, if the request may see it.</summary>
    public static Job? For(this Job? job, HttpContext context) =>
        ClientOf(context) is not { } client || string.Equals(job?.Client, client, StringComparison.Ordinal) ? job : null;

    /// <summary>The id that a path names. Only the form in which ids are given out: one job has one path.</summary>
    /// <remarks>The framework's parser also takes blanks around it, and signs before its numbers.</remarks>
    public static bool TryParseId(string text, out Guid id) =>
        Guid.TryParseExact(text, "D", out id) && string.Equals(text, id.ToString("D"), StringComparison.OrdinalIgnoreCase);
}
