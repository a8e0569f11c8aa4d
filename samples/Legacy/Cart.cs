namespace Legacy;

internal static class Cart
{
    public static Task Show(HttpContext context)
    {
        Thread.Sleep(5); // a query that blocks
        return context.Response.WriteAsync($"cart of {context.Items["session"]}, on {Thread.CurrentThread.Name}");
    }
}
