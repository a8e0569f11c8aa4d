using Npgsql;
using PoolApi.Jobs.PostgreSql;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>How the store classifies the server's errors.</summary>
[Trait("Category", "Slow")]
public sealed class ServerErrorsTests
{
    [Theory]
    [InlineData("read-only", "ReadOnly", "25006")]
    [InlineData("the session is over or not as it was left", "StaleSession", "25P03 25P04 57P05 0A000 26000 42P05 25P01 25P02 25001 24000 34000 XX000")]
    [InlineData("the connection or the server is gone", "Lost", "08000 08003 08006 08P01 57P01 57P02 57P03 57P04 40003")]
    [InlineData("lost against others", "Transient", "40001 40P01 55P03 57014")]
    [InlineData("not now", "Unavailable", "53000 53100 53200 53300 53400 55000 58000 58030 58P01 XX001 XX002 28000 28P01 3D000 3F000 42P01 42501 42703 57000 P0001 99999")]
    [InlineData("a value", "Refused", "22001 22021 23505 23514 54000")]
    [InlineData("a defect", "Defect", "42601 42P18 42804 21000")]
    public void Server_errors_are_classified_by_their_SQLSTATE(string what, string meaning, string states) =>
        Assert.All(states.Split(' '), s => Assert.Equal((what, s, meaning), (what, s, ServerErrors.Classify(s).ToString())));

    [Theory]
    [InlineData("53200", "Lost")]
    [InlineData("XX000", "Lost")]
    [InlineData("42601", "Lost")]
    [InlineData("25P03", "StaleSession")] // its transaction is rolled back, and the server works
    [InlineData("57P05", "StaleSession")]
    public void An_error_that_ends_the_session_is_never_classified_as_one_that_keeps_it_open(string state, string meaning) =>
        Assert.Equal(meaning, ServerErrors.Classify(state, endsSession: true).ToString());

    [Theory]
    [InlineData("08P01", false, "Unavailable")] // PgBouncer at its max_client_conn
    [InlineData("08P01", true, "Lost")]
    [InlineData("08006", false, "Lost")]
    public void A_new_connection_rejected_by_a_full_pooler_is_classified_as_unavailable_not_lost(string state, bool isOpen, string meaning) =>
        Assert.Equal(meaning, ServerErrors.Classify(new PostgresException("no more connections allowed (max_client_conn)", "FATAL", "FATAL", state), isOpen).ToString());

    [Fact]
    public void The_transaction_id_limit_is_classified_as_unavailable_not_as_a_rejected_value() =>
        Assert.Equal(ServerError.Unavailable, ServerErrors.Classify("54000", routine: "GetNewTransactionId"));
}
