using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Rescind.Server.Database.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class ValueByHash : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_revocations_value",
                schema: "rescind",
                table: "revocations");

            migrationBuilder.CreateIndex(
                name: "IX_revocations_value",
                schema: "rescind",
                table: "revocations",
                column: "value")
                .Annotation("Npgsql:IndexMethod", "hash");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_revocations_value",
                schema: "rescind",
                table: "revocations");

            migrationBuilder.CreateIndex(
                name: "IX_revocations_value",
                schema: "rescind",
                table: "revocations",
                column: "value");
        }
    }
}
