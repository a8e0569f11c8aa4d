namespace PoolApi.Jobs.PostgreSql;

/// <summary>The limits on time of what a store does in its database. Every store has the defaults, except in tests.</summary>
/// <param name="ConnectSeconds">How long it may take to connect to a host.</param>
/// <param name="CommandSeconds">How long an answer to a command may take.</param>
/// <param name="StatementSeconds">How long the server lets a statement run, unless it takes bodies along.</param>
/// <param name="MorePatience">
/// How much longer a caller waits than <see cref="Database.Patience"/>. A caller waits longer than a command may take, so that a second try has time.
/// </param>
internal sealed record DatabaseLimits(int ConnectSeconds = 3, int CommandSeconds = 4, int StatementSeconds = 10, TimeSpan MorePatience = default)
{
    /// <summary>The limits of every store outside of tests.</summary>
    public static DatabaseLimits Default { get; } = new();
}
