namespace Legacy;

/// <summary>Middleware of an old app: it asks for the session and blocks until it has it.</summary>
public sealed class SessionMiddleware(RequestDelegate next)
{
    /// <summary>Blocks the request's thread until the session is loaded, as old code does.</summary>
    public Task Invoke(HttpContext context)
    {
        context.Items["session"] = LoadAsync().Result;
        return next(context);
    }

    private static async Task<string> LoadAsync()
    {
        await Task.Delay(5);
        return "session-1";
    }
}
